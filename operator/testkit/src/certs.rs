//! Certificates of one run: a CA, the API server's certificate, and those of who calls it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// The CA of a run.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes the CA, and a key pair for ServiceAccount tokens.
    ///
    /// # Errors
    /// A key cannot be made; the folder cannot be written.
    pub fn make(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "caretaker-test-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        std::fs::write(folder.join("ca.crt"), params.self_signed(&key)?.pem())?;
        let tokens = KeyPair::generate()?;
        std::fs::write(folder.join("sa.key"), tokens.serialize_pem())?;
        std::fs::write(folder.join("sa.pub"), tokens.public_key_pem())?;
        Ok(Self { folder: folder.to_path_buf(), issuer: Issuer::new(params, key) })
    }

    /// The server certificate for 127.0.0.1, localhost and further names or addresses: `server.crt`, `server.key`.
    ///
    /// # Errors
    /// See [`Authority::make`].
    pub fn server(&self, further: &[String]) -> Result<()> {
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"].map(str::to_owned);
        let mut params = CertificateParams::new([&names, further].concat())?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.write("server", &params)
    }

    /// A client certificate: `NAME.crt`, `NAME.key`.
    ///
    /// # Errors
    /// See [`Authority::make`].
    pub fn client(&self, name: &str, user: &str, group: Option<&str>) -> Result<()> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.write(name, &params)
    }

    /// The certificate of a node, for what it serves and for what it calls: `NAME.crt`, `NAME.key`.
    ///
    /// # Errors
    /// See [`Authority::make`].
    pub fn node(&self, name: &str, address: &str) -> Result<()> {
        let mut params = CertificateParams::new(vec![name.to_owned(), address.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, format!("system:node:{name}"));
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.write(name, &params)
    }

    fn write(&self, name: &str, params: &CertificateParams) -> Result<()> {
        let key = KeyPair::generate()?;
        std::fs::write(self.folder.join(format!("{name}.crt")), params.signed_by(&key, &self.issuer)?.pem())?;
        std::fs::write(self.folder.join(format!("{name}.key")), key.serialize_pem())?;
        Ok(())
    }
}
