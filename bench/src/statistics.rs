//! Medians, percentiles, and the exponent of growth.

/// The middle value; the mean of the two middle ones where their number is even. NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        (at(middle.wrapping_sub(1)) + at(middle)) / 2.0
    }
}

/// The smallest value that at least `share` of the values do not exceed. NaN of nothing.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let index = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The smallest and the largest. NaN of nothing.
pub fn range(values: &[f64]) -> (f64, f64) {
    let sorted = sorted(values);
    let first = sorted.first().copied().unwrap_or(f64::NAN);
    (first, sorted.last().copied().unwrap_or(f64::NAN))
}

/// Six significant digits: more than is measured.
pub fn significant(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The exponent k of y = c · x^k that fits the points best (least squares of the logarithms).
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let both: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let square: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    both / square
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn percentiles() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.99), 99.0);
        assert_eq!(percentile(&hundred, 1.0), 100.0);
        assert_eq!(percentile(&[7.0], 0.01), 7.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn digits() {
        assert_eq!(significant(123_456.789), 123_457.0);
        assert_eq!(significant(2.5), 2.5);
        // What is no number has no place in JSON.
        let json = serde_json::json!({ "no number": significant(f64::NAN) });
        assert_eq!(json.to_string(), r#"{"no number":null}"#);
    }

    #[test]
    fn exponents() {
        let square: Vec<(f64, f64)> = [1.0, 2.0, 5.0, 9.0].map(|x| (x, 3.0 * x * x)).into();
        assert!((exponent(&square) - 2.0).abs() < 1e-9);
        let flat: Vec<(f64, f64)> = [1.0, 2.0, 5.0].map(|x| (x, 8.0)).into();
        assert!(exponent(&flat).abs() < 1e-9);
    }
}
