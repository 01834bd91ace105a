"""What the log says must be so, and on what it is read: audits, the log as it is, copies of stores."""
