//! Words of metrics.

/// An enum whose values each have a name in metrics, with all of them in `ALL`, in their order.
macro_rules! words {
    ($($(#[doc = $outer:literal])+ pub enum $name:ident {
        $($(#[doc = $inner:literal])+ $variant:ident = $word:literal,)+
    })+) => {$(
        $(#[doc = $outer])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $inner])+ $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    )+};
}

pub(crate) use words;
