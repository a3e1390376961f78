/**
 * Moves cursors and files failed events, slot by slot. If a cursor has another epoch, or is already
 * further on, it is not moved and no event of its slot is filed.
 *
 * Of two snapshots that end at the same transaction, the later one has fewer that were still open.
 */
export function advance3(schema: string): string {
  const open = (snapshot: string): string => `(select count(*) from pg_snapshot_xip(${snapshot}))`
  return `create function ${schema}.advance_3(in_consumer text, in_moves json, in_failed json)
  returns text language plpgsql volatile set enable_seqscan = off set jit = off as $$
  declare
    moved smallint[];
  begin
    with moving as (
      update ${schema}.cursors c
        set from_snapshot = m.f, to_snapshot = m.t, floor = m.o, seq = m.s,
          crashes = case when m.calm then 0 else c.crashes end
        from json_to_recordset(in_moves) as m (slot smallint, epoch bigint, f pg_snapshot,
          t pg_snapshot, o bigint, s bigint, calm boolean)
        where c.consumer = in_consumer and c.slot = m.slot and c.epoch = m.epoch
          and case
            when pg_snapshot_xmax(m.f) <> pg_snapshot_xmax(c.from_snapshot)
              then pg_snapshot_xmax(m.f) > pg_snapshot_xmax(c.from_snapshot)
            when ${open('m.f')} <> ${open('c.from_snapshot')}
              then ${open('m.f')} < ${open('c.from_snapshot')}
            else c.to_snapshot is null or m.s >= c.seq
          end
        returning c.slot
    )
    select coalesce(array_agg(m.slot), '{}') into moved from moving m;
    if in_failed is not null then
      perform ${schema}.file_failed_2(in_consumer, moved, in_failed);
    end if;
    return (
      select coalesce(json_agg(m.slot), '[]')::text
        from json_to_recordset(in_moves) as m (slot smallint) where m.slot <> all(moved)
    );
  end $$`
}
