use comfy_table::{ColumnConstraint, ContentArrangement, Width, presets};

use crate::output::{Output, Tone, width};

/// A table of the width of the terminal, in pages that look like one.
pub(crate) struct Table<'a> {
    output: &'a Output,
    header: Vec<&'static str>,
    /// Width of each column, fixed from the first page on where there are several.
    widths: Option<Vec<u16>>,
    began: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(output: &'a Output, header: &[&'static str]) -> Self {
        Self { output, header: header.to_vec(), widths: None, began: false }
    }

    /// The same with columns of these widths, for a table that comes in pages; 0 takes what is left.
    pub(crate) fn widths(mut self, widths: &[u16]) -> Self {
        let taken: u16 = widths.iter().map(|width| width + 2).sum();
        // After the last column there is no gap.
        let left = (width() + 2).saturating_sub(taken).clamp(12, 40);
        self.widths = Some(widths.iter().map(|width| if *width == 0 { left } else { *width }).collect());
        self
    }

    /// The next page; the header is in the first.
    pub(crate) fn page(&mut self, rows: Vec<Vec<(String, Tone)>>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width());
        if !self.began {
            let header = self.header.iter().map(|title| self.output.paint(Tone::Strong, title));
            table.set_header(header.collect::<Vec<_>>());
        }
        self.began = true;
        for row in rows {
            let cells = row.iter().map(|(text, tone)| self.output.paint(*tone, text));
            table.add_row(cells.collect::<Vec<_>>());
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if let Some(width) = self.widths.as_ref().and_then(|widths| widths.get(index)) {
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + 2)));
            }
        }
        table.trim_fmt()
    }
}
