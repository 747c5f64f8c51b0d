//! Smaller copies of a picture, made elsewhere and named in its metadata.

use serde_json::Value;

use super::Metadata;

/// Widths in pixels (1 to 16 distinct, ascending, each 1 to 16,384) and the format (2 to 5 of
/// `a-z0-9`) of a picture's derivatives. A derivative lies at `{key}.{width}.{format}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivatives {
    widths: Vec<u32>,
    format: String,
}

impl Derivatives {
    /// The widest derivative, in pixels.
    pub const MAX_WIDTH: u32 = 16_384;
    /// How many there can be.
    pub const MAX_COUNT: usize = 16;

    /// Reads `derivatives` and `derivativeFormat` of an asset's metadata. `None` where there are
    /// none, or anything about them is wrong.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let widths = metadata.get("derivatives")?.as_array()?;
        let format = metadata.get("derivativeFormat").and_then(Value::as_str)?;
        let widths: Option<Vec<u32>> =
            widths.iter().map(|width| width.as_u64().and_then(|width| u32::try_from(width).ok())).collect();
        Self::new(widths?, format)
    }

    /// Checks widths and format.
    #[must_use]
    pub fn new(mut widths: Vec<u32>, format: &str) -> Option<Self> {
        let count = widths.len();
        widths.sort_unstable();
        widths.dedup();
        let right_widths = widths.len() == count
            && (1..=Self::MAX_COUNT).contains(&count)
            && widths.iter().all(|width| (1..=Self::MAX_WIDTH).contains(width));
        let right_format = (2..=5).contains(&format.len())
            && format.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (right_widths && right_format).then(|| Self { widths, format: format.to_owned() })
    }

    /// The widths, ascending, in pixels.
    #[must_use]
    pub fn widths(&self) -> &[u32] {
        &self.widths
    }

    /// The format, which is the extension too.
    #[must_use]
    pub fn format(&self) -> &str {
        &self.format
    }

    /// What is added to the file's key for each of them: `320.jpg`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.widths.iter().map(|width| format!("{width}.{}", self.format)).collect()
    }

    /// The smallest derivative that is at least this wide. `None` where the original must do.
    #[must_use]
    pub fn at_least(&self, width: u32) -> Option<u32> {
        self.widths.iter().copied().find(|candidate| *candidate >= width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_is_wide_enough_is_chosen() {
        let derivatives = Derivatives::new(vec![1280, 320, 640], "jpg").unwrap();
        assert_eq!(derivatives.widths(), [320, 640, 1280]);
        assert_eq!(derivatives.at_least(1), Some(320));
        assert_eq!(derivatives.at_least(640), Some(640));
        assert_eq!(derivatives.at_least(641), Some(1280));
        assert_eq!(derivatives.at_least(1281), None);
    }

    #[test]
    fn anything_wrong_means_none() {
        assert!(Derivatives::new(vec![], "jpg").is_none());
        assert!(Derivatives::new(vec![320, 320], "jpg").is_none());
        assert!(Derivatives::new(vec![0], "jpg").is_none());
        assert!(Derivatives::new(vec![16_385], "jpg").is_none());
        assert!(Derivatives::new((1..=17).collect(), "jpg").is_none());
        for format in ["", "j", "JPG", "j/g", "abcdef"] {
            assert!(Derivatives::new(vec![320], format).is_none(), "{format}");
        }
    }
}
