"""naked_sqla in frameworks; each module needs the framework it is named after."""
