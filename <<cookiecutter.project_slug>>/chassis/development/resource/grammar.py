"""What `make resource` and `make field` take, for people."""

GRAMMAR = """\
FIELDS is one or more of NAME:TYPE. After the type there can be, in this order:

  ?           the field may be null, and may be left out
  =DEFAULT    its value where it is left out; in double quotes if it has spaces, commas or colons
  :unique     no two rows have the same value; a request for that is a 409
  :index      the column has an index
  :filter     the list has filters by this field, and indexes for them
  :sort       the list can be sorted by this field, and has an index for that

TYPE         for example                      a value is
str(n)       email:str(320):unique            text of 1 to n characters; str alone is str(200)
text         note:text?                       text of up to 10,000 characters, without an index
int          quantity:int=1                   a whole number of 32 bits
bigint       bytes:bigint                     a whole number up to 2^53-1, which every JSON parser reads exactly
decimal(p,s) total:decimal(12,2)              up to p digits, s of them decimal places; exact, a string in JSON
float        ratio:float?                     a finite number of double precision; not for money
bool         paid:bool=false                  true or false
date         due:date:filter                  2026-12-31
datetime     placed_at:datetime?:sort         2026-12-31T23:59:59Z, to the microsecond
uuid         token:uuid:unique                a UUID
json         metadata:json={}                 any JSON value
list(of)     tags:list(str(50))=[]:filter     up to 100 values of another type
enum(a,b)    status:enum(draft,placed)=draft  one of some words
ref(table)   customer:ref(customers)          the key of a row of another table; the column is customer_id

make resource takes, beside FIELDS:

  NAME=order              the singular of the resource, in snake_case
  PLURAL=people           its plural, if that is irregular
  KEY=uuid                the key is a UUID (version 7) that the service makes, and not a bigint
  PARENT=orders           the resource is nested: /v1/orders/{order_id}/lines
  WITHOUT="put delete"    operations that it does not have: list, put, patch, delete

make field takes RESOURCE=order, and FIELDS with a ? or a default each. Examples:

  make resource NAME=order FIELDS="email:str(320):unique total:decimal(12,2) placed_at:datetime?:sort"
  make field RESOURCE=order FIELDS="colour:str?"
"""
