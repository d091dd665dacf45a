<%
def stored(id_type):
    """Return the annotation of a key in the model of the row."""
    return "UUID" if id_type == "Uuid" else id_type
%>\
"""The models of ${names.several}.

`make field` adds fields to this resource, which was made of:

    ${wrap(resource.arguments, "    ")}
"""

${imports}

% for field in fields:
% if field.words_type:
${field.words_type} = Literal[${", ".join(f'"{word}"' for word in field.type.words)}]
% endif
% endfor

class ${names.model}Fields(Body):
    """The fields of ${names.a} that clients set."""

% for field in fields:
    ${field.name}: ${field.annotation}
% endfor


class ${names.model}(Versioned):
    """${names.a.capitalize()} as it is stored; times are in UTC."""

    id: ${stored(resource.id_type)}
% if resource.parent:
    ${resource.parent_id}: ${stored(resource.parent_id_type)}
% endif
% for field in fields:
    ${field.name}: ${field.stored}
% endfor
    created_at: datetime
    updated_at: datetime
% if resource.has("list"):


class ${names.model}Query(PageQuery):
    """The filters and the order of the list of ${names.several}."""

% for parameter in resource.filters:
    ${parameter.name}: ${parameter.annotation}
% endfor
    sort: Annotated[
        Literal[${", ".join(f'"{sort}"' for sort in resource.sorts)}],
        Field(description="what the list is sorted by; a minus is descending"),
    ] = "id"
% endif
