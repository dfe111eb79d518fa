//! `Debug` for types that hold what must not reach a log.

/// Implements `Debug` for structs, or for an enum, so that it prints the name of the type, and of
/// an enum that of the variant, but no field.
///
/// ```
/// struct Letter { text: String }
/// enum Post { Sent(Letter), Lost }
/// wire::kind_debug!(struct Letter);
/// wire::kind_debug!(enum Post { Sent, Lost });
///
/// let letter = Letter { text: "meet me at noon".to_owned() };
/// assert_eq!(format!("{letter:?}"), "Letter");
/// assert_eq!(format!("{:?}", Post::Sent(letter)), "Post::Sent");
/// assert_eq!(format!("{:?}", Post::Lost), "Post::Lost");
/// ```
#[macro_export]
macro_rules! kind_debug {
    (struct $($name:ident),+ $(,)?) => { $(
        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )+ };
    (enum $name:ident { $($variant:ident),+ $(,)? }) => {
        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(match self { $(
                    Self::$variant { .. } => {
                        concat!(stringify!($name), "::", stringify!($variant))
                    }
                )+ })
            }
        }
    };
}
