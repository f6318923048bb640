STYLES: dict[str, object] = {}
