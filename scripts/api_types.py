"""TypeScript's types of the interface, from the same descriptions as everything else; see make-api.

Every schema becomes a type; `Endpoints` says of each endpoint, by its name, the method, the path, what goes in
and what comes back. Only types: nothing of it is left when a program runs.
"""
import json
import re

# What a schema may say. What has no word in TypeScript is told in the description alone; anything else
# must not be passed over.
CHECKED_ONLY = {"minimum", "maximum", "minLength", "maxLength", "minItems", "pattern", "format"}
SAID = {"type", "description", "required", "properties", "additionalProperties", "items", "enum", "anyOf", "$ref"}
SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
REFERENCE = "#/components/schemas/"
FIELDS = {"text": "string", "id": "string", "count": "number", "time": "string", "bool": "boolean"}

HEAD = """/*
 * Types of Platebase's HTTP interface, version %s.
 *
 * Made by scripts/make-api from the same descriptions (api/) as the routes and the OpenAPI document;
 * changes go there. `Endpoints["reads.send"]["reply"]` is what comes back where all is well,
 * `["problem"]` what says why it is not, `["replies"][409]` what one status brings.
 */
"""


def type_name(schema):
    return "".join(word.capitalize() for word in schema.split("_"))


def comment(text, indent):
    """A remark for editors, in lines of its own."""
    return f"{indent}/** {text.replace('*/', '* /')} */\n" if text else ""


def key(name):
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else json.dumps(name)


def members(schema, indent):
    inner = indent + "    "
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    lines = [comment(value.get("description"), inner)
             + f"{inner}{key(name)}{'' if name in required else '?'}: {type_of(value, inner)};\n"
             for name, value in properties.items()]
    lines += [f"{inner}{key(name)}: unknown;\n" for name in required if name not in properties]
    more = schema.get("additionalProperties", True)
    if more is not False:
        # What an index says has to fit the members beside it.
        value = type_of(more, inner) if isinstance(more, dict) and not lines else "unknown"
        lines.append(f"{inner}[more: string]: {value};\n")
    return "{\n" + "".join(lines) + indent + "}" if lines else "Record<string, never>"


def union(parts):
    return " | ".join(dict.fromkeys(parts))


def type_of(schema, indent=""):
    unknown = set(schema) - SAID - CHECKED_ONLY
    if unknown:
        raise ValueError(f"no type in TypeScript for {sorted(unknown)}")
    if "$ref" in schema:
        return type_name(schema["$ref"].removeprefix(REFERENCE))
    if "anyOf" in schema:
        return union(type_of(one, indent) for one in schema["anyOf"])
    if "enum" in schema:
        return union(json.dumps(one) for one in schema["enum"])
    if "type" not in schema:
        return "unknown"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    made = []
    for kind in kinds:
        if kind == "array":
            made.append(f"Array<{type_of(schema.get('items', {}), indent)}>")
        elif kind == "object":
            made.append(members(schema, indent))
        else:
            made.append(SIMPLE[kind])
    return union(made)


def reply_type(reply):
    parts = []
    if "schema" in reply:
        parts.append(type_name(reply["schema"]))
    elif reply["type"] == "application/problem+json":
        parts.append("Problem | Refusal")
    if reply.get("also") or "schema" not in reply and reply["type"] != "application/problem+json":
        parts.append("Blob" if reply.get("type") == "application/octet-stream" else "string")
    return union(parts)


def fields(those, is_path):
    """Of a path all are needed."""
    if not those:
        return "Record<string, never>"
    return "{ " + " ".join(
        f"{key(field['name'])}{'' if is_path or field.get('required') else '?'}: {FIELDS[field['type']]};"
        for field in those) + " }"


def endpoint_type(endpoint):
    replies = sorted(endpoint["replies"].items())
    good = [reply_type(reply) for status, reply in replies if status < "300"]
    bad = [reply_type(reply) for status, reply in replies if status >= "400"]
    body = endpoint.get("body")
    query = fields(endpoint["query"], False)
    if endpoint.get("any_query"):
        query = "Record<string, string>"
    lines = [f"method: {json.dumps(endpoint['method'])};",
             f"path: {json.dumps(endpoint['path'].replace('+}', '}'))};",
             f"params: {fields(endpoint['params'], True)};",
             f"query: {query};",
             f"body: {type_name(body['schema']) if body else 'undefined'};",
             f"types: {union(json.dumps(kind) for kind in body['types']) if body else 'never'};",
             f"reply: {union(good) if good else 'never'};",
             f"problem: {union(bad + ['Problem'])};",
             "replies: { " + " ".join(f"{status}: {reply_type(reply)};" for status, reply in replies) + " };"]
    return (comment(endpoint["summary"], "    ") + f"    {json.dumps(endpoint['name'])}: {{\n"
            + "".join(f"        {line}\n" for line in lines) + "    };\n")


def declarations(endpoints, schemas, version):
    parts = [HEAD % version]
    for name, schema in schemas.items():
        parts.append("\n" + comment(schema.get("description"), ""))
        parts.append(f"export type {type_name(name)} = {type_of(schema)};\n")
    parts.append("\n/** Every endpoint by its name, as the OpenAPI document's operationId. */\n"
                 "export interface Endpoints {\n")
    parts += [endpoint_type(endpoint) for endpoint in endpoints]
    parts.append("}\nexport type EndpointName = keyof Endpoints;\n")
    return "".join(parts)
