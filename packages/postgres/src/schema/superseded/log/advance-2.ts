/**
 * An earlier version of `advance_3`, for processes of an earlier release. It refuses to move a
 * cursor that has reached its snapshot, if that one and the one before end at the same transaction.
 */
export function advance2(schema: string): string {
  return `create function ${schema}.advance_2(in_consumer text, in_moves json, in_failed json)
  returns text language plpgsql volatile set enable_seqscan = off as $$
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
          and pg_snapshot_xmax(m.f) >= pg_snapshot_xmax(c.from_snapshot)
          and (pg_snapshot_xmax(m.f) > pg_snapshot_xmax(c.from_snapshot)
            or c.to_snapshot is null or m.s >= c.seq)
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
