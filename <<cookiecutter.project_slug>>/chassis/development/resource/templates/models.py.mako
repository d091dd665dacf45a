"""What ${names.a} looks like, and what can be asked of the list of ${names.several}."""

${imports}


class ${names.model}Fields(Body):
    """What a client says of ${names.a}."""

% for field in fields:
    ${field.name}: ${field.type.given}
% endfor


class ${names.model}(Versioned):
    """${names.a.capitalize()} as it is stored; times are in UTC."""

    id: Id
% for field in fields:
    ${field.name}: ${field.type.stored}
% endfor
    created_at: datetime
    updated_at: datetime


class ${names.model}Query(PageQuery):
    """Which page of the list; filters and orders are further fields."""
