//! Streams that count and digest what passes.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

/// A writer or reader that digests what passes through it.
pub struct Hashing<T> {
    inner: T,
    digest: Sha256,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0 }
    }

    /// The inner stream, the digest in hexadecimal and the number of bytes.
    pub fn finish(self) -> (T, String, u64) {
        (self.inner, hex::encode(self.digest.finalize()), self.bytes)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.digest.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// SHA-256 and size of all that a reader gives.
pub fn digest_of(mut reader: impl Read) -> io::Result<(String, u64)> {
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut reader, &mut hashing)?;
    let (_, digest, bytes) = hashing.finish();
    Ok((digest, bytes))
}

/// SHA-256 of a file, 64 lower-case hexadecimal digits, read in a stream.
///
/// # Errors
/// The file cannot be read.
pub fn sha256_file(path: &std::path::Path) -> io::Result<String> {
    Ok(digest_of(io::BufReader::new(std::fs::File::open(path)?))?.0)
}
