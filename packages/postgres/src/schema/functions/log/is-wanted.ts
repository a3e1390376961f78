/**
 * Raises unless these types are the ones on record for the consumer, compared as one text in normal
 * form. The function is STABLE, so it uses the snapshot of the statement that reads events. A
 * statement that sees an event which was committed after a record was changed therefore sees the
 * changed record too.
 */
export function isWanted(schema: string): string {
  return `create function ${schema}.is_wanted(in_consumer text, in_types text) returns boolean
    language plpgsql stable as $$
    begin
      if exists (select from ${schema}.consumers c
          where c.name = in_consumer and c.wanted <> in_types) then
        raise exception 'other types are wanted of the consumer now' using errcode = 'OK004';
      end if;
      return true;
    end $$`
}
