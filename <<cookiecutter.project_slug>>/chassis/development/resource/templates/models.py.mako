"""The models of ${names.several}."""

${imports}


class ${names.model}Fields(Body):
    """The fields of ${names.a} that clients set."""

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
    """Query parameters of the list; add fields for filters and sort orders."""
