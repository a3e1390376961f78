/**
 * Whether this server handed out the transaction ids in the outbox and in the cursors. It did not
 * if the rows came with a dump or from a publisher: then the row of 'numbering' was written by
 * another transaction than the one that it names, or names another server. After a crash, a
 * failover or a physical copy the row is unchanged and the answer is true: the rows that survived
 * have ids that were flushed.
 */
export function numbersAreOurs(schema: string): string {
  return `create function ${schema}.numbers_are_ours() returns boolean
    language plpgsql stable as $$
    declare
      present_system text := ${schema}.system_identifier();
    begin
      return exists (select from ${schema}.numbering)
        and not exists (
          select from ${schema}.numbering n
            where n.xmin <> n.written_by::xid or n.system <> present_system
        );
    end $$`
}

/** The system identifier of the cluster; null if the service that runs it hides that. */
export function systemIdentifier(schema: string): string {
  return `create function ${schema}.system_identifier() returns text
    language plpgsql stable as $$
    begin
      return (select c.system_identifier::text from pg_control_system() c);
    exception when others then
      return null;
    end $$`
}
