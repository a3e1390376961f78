/**
 * Raises unless these are the types that are on record for the consumer, as one text in normal
 * form. STABLE, so that it looks with the snapshot of the statement that reads: whoever sees an
 * event that was committed after a release was put on record sees the record, too.
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
