/**
 * A start of a redrive has a name. If it is sent again because its reply was lost, it finds the
 * first.
 */
export function namedStarts(schema: string): string[] {
  return [
    `alter table ${schema}.redrives add column request text`,
    `create unique index redrives_request on ${schema}.redrives (source, request)
      where request is not null`,
    `comment on column ${schema}.redrives.request is
      'The name that the caller gave this start, so that it is carried out once; null: none.'`,
  ]
}
