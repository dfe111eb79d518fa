//! Errors of the crates below as failures of the program.

use api::Failure;

/// What to do about errors of profiles, private directories and routes.
pub(crate) trait OrFail<T> {
    /// The value, or the failure that ends the command.
    ///
    /// # Errors
    /// The error with a hint.
    fn or_fail(self) -> Result<T, Failure>;
}

impl<T> OrFail<T> for Result<T, jail::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}

impl<T> OrFail<T> for Result<T, routes::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}

impl<T> OrFail<T> for Result<T, vault::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}
