use std::io::{Read as _, Write as _};

/// Stops the process at one point and says so, for the test to kill or freeze it there.
#[derive(Debug, Clone)]
pub struct Hold(pub Option<String>);

impl Hold {
    /// What the process prints when it has come to its point.
    pub const LINE: &'static str = "HOLDING";

    /// Stands still if this is the point, until the test closes the process's input.
    pub fn at(&self, point: &str) {
        if self.0.as_deref() == Some(point) {
            let mut out = std::io::stdout();
            // The test waits for the line; without it it fails by itself.
            let _ = writeln!(out, "{}", Self::LINE);
            let _ = out.flush();
            let _ = std::io::stdin().read(&mut [0]);
        }
    }
}
