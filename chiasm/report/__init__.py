"""What a run showed: tables, figures, and one self-contained HTML page."""
