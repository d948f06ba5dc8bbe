//! A session that has expired is renewed once.

use std::future::Future;

use crate::{ErrorClass, Result};

/// Makes a call under what is held, and once more under a new one where the cloud says that it has expired. An error of the second call stays what it is, so
/// `Expired` tells that the new one was refused as well.
///
/// # Errors
/// The call's; or that of the renewal, which is then the reason why the call could not be made.
pub async fn once_renewed<H, T, C, R>(held: H, call: impl Fn(H) -> C, renew: impl FnOnce(H) -> R) -> Result<T>
where
    H: Clone,
    C: Future<Output = Result<T>>,
    R: Future<Output = Result<H>>,
{
    match call(held.clone()).await {
        Err(error) if error.class == ErrorClass::Expired => call(renew(held).await?).await,
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloudError;

    fn fault(class: ErrorClass) -> CloudError {
        CloudError::new(class, "list", "said")
    }

    /// The answers to calls under the numbers 1, the session that is held, and 2, the new one.
    async fn asked(first: Result<u32>, second: Result<u32>, renewed: Result<u32>) -> Result<u32> {
        let answers = [first, second];
        once_renewed(1_u32, |held| std::future::ready(answers[held as usize - 1].clone()), |_| std::future::ready(renewed)).await
    }

    #[tokio::test]
    async fn only_an_expired_session_is_renewed_and_only_once() {
        use ErrorClass::{Denied, Expired, Unreachable};
        let class = |answer: Result<u32>| answer.map_err(|error| error.class);
        let table = [
            ("it is good", Ok(7), Ok(8), Ok(2), Ok(7)),
            ("a refusal is one", Err(fault(Denied)), Ok(8), Ok(2), Err(Denied)),
            ("it has expired", Err(fault(Expired)), Ok(8), Ok(2), Ok(8)),
            ("the new one is refused as well", Err(fault(Expired)), Err(fault(Expired)), Ok(2), Err(Expired)),
            ("no new one is to be had", Err(fault(Expired)), Ok(8), Err(fault(Unreachable)), Err(Unreachable)),
        ];
        for (why, first, second, renewed, expected) in table {
            assert_eq!(class(asked(first, second, renewed).await), expected, "{why}");
        }
    }
}
