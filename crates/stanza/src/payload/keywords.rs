//! Enums of words.

/// Makes an enum of a closed set of words, with `ALL`, `as_str`, `from_keyword` and
/// [`Text`](crate::payload::Text).
macro_rules! keywords {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: [$name; [$($name::$variant),+].len()] = [$($name::$variant),+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// The value that this word stands for.
            pub fn from_keyword(word: &str) -> Option<$name> {
                match word {
                    $($word => Some($name::$variant),)+
                    _ => None,
                }
            }
        }

        impl $crate::payload::Text for $name {
            fn from_text(text: &str) -> Result<$name, $crate::payload::TextFault> {
                $name::from_keyword(text.trim_ascii())
                    .ok_or($crate::payload::TextFault::Keyword)
            }

            fn to_text(&self) -> std::borrow::Cow<'_, str> {
                std::borrow::Cow::Borrowed(self.as_str())
            }
        }

        #[cfg(test)]
        impl $crate::payload::testing::Sample for $name {
            fn sample(source: &mut $crate::payload::testing::Source<'_>) -> $name {
                $name::ALL[source.below($name::ALL.len())]
            }
        }
    };
}

pub(crate) use keywords;
