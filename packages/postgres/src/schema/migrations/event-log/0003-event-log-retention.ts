/** Functions that delete what every consumer has passed, a day at a time. */
export function eventLogRetention(schema: string): string[] {
  const parts = Array.from({ length: 8 }, (_, part) => part)
  const branch = (part: number): string => `
        when ${part} then
          lock table ${schema}.outbox_${part} in access exclusive mode;
          select max(xid), max(seq) - min(seq) + 1 into newest, size from ${schema}.outbox_${part};
          if newest < passed then
            truncate table ${schema}.outbox_${part};
            return size::text;
          end if;`

  return [
    // Empties one partition of the ring if every consumer that counts has passed everything in it.
    // Only a transaction that has been open since then can still write to a day that is over. The
    // lock on the partition is waited for briefly, and is released before a reader notices it.
    `create function ${schema}.drop_passed(in_part integer) returns text
    language plpgsql volatile set lock_timeout = '50ms' as $$
    declare
      passed xid8;
      newest xid8;
      size bigint;
    begin
      select min(pg_snapshot_xmin(c.from_snapshot)::text::bigint)::text::xid8 into passed
        from ${schema}.cursors c join ${schema}.consumers k on k.name = c.consumer
        where k.abandoned_at is null;
      passed := coalesce(passed, pg_snapshot_xmin(pg_current_snapshot()));
      case in_part${parts.map(branch).join('')}
      end case;
      return null;
    exception when lock_not_available then
      return null;
    end $$`,

    // Returns the partitions that have events and whose days have been over for long enough.
    `create function ${schema}.parts_over(in_retention_ms bigint) returns table (part text)
    language sql volatile as $$
      select p.part::text
        from (${parts
          .map(
            (part) =>
              `select ${part} as part where exists (select from ${schema}.outbox_${part} limit 1)`,
          )
          .join(' union all ')}) p,
          (select floor(extract(epoch from clock_timestamp()) / 86400)::bigint as today) t
        where p.part <> t.today % 8
          and clock_timestamp() - to_timestamp(
              (t.today - ((t.today - p.part) % 8) + 1) * 86400)
            >= in_retention_ms * interval '1 millisecond'
    $$`,
  ]
}
