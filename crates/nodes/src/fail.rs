//! Errors of services, of confinement and of keys as failures of a command.

use api::Failure;
use wire::ErrorKind;

/// What to do about an error, as the operator of a node.
pub trait OrFail<T> {
    /// The value, or the failure that ends the command.
    ///
    /// # Errors
    /// The error with a hint.
    fn or_fail(self) -> Result<T, Failure>;
}

impl<T> OrFail<T> for Result<T, server::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| {
            let hint = match &error {
                server::Error::Net(_) => {
                    "stop the program that uses the port, or choose another address with --listen or the --…port options"
                }
                server::Error::StateDir(error) => error.hint(),
                _ => match error.kind() {
                    ErrorKind::LocalConfig => {
                        "see the command's --help, or --print-config for a commented settings file"
                    }
                    ErrorKind::LocalStorage => {
                        "check that the --dir can be written and is used by one process only"
                    }
                    _ => "please report this with the output of -vv",
                },
            };
            Failure::new(error.kind(), error, hint)
        })
    }
}

impl<T> OrFail<T> for Result<T, jail::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}

impl<T> OrFail<T> for Result<T, vault::Error> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(error.kind(), &error, error.hint()))
    }
}
