/**
 * Sets the deliveries of an ended subscription aside, so that they do not affect a later consumer
 * of the same name: gives them a new generation, and makes those that were dead or retrying
 * 'retired', or discards them. Returns how many these were. The generation is the highest id of any
 * delivery, which is higher than that of an earlier subscription of this name, because deliveries
 * were filed since.
 *
 * The caller makes sure that nothing is filed for the consumer meanwhile, by locking or deleting
 * its cursors. A delivery that is redriven or discarded meanwhile is taken in the state it then
 * has.
 */
export function setAside(schema: string): string {
  return `create function ${schema}.set_aside(in_consumer text, in_remaining text, in_note text)
    returns bigint language plpgsql volatile set enable_seqscan = off as $$
    declare
      past bigint := (select max(d.id) from ${schema}.deliveries d);
      at timestamptz := clock_timestamp();
      count bigint;
    begin
      with moved as (
        update ${schema}.deliveries d
          set generation = past,
            state = case when d.state = 'resolved' or in_remaining = 'discard' then 'resolved'
              else 'retired' end,
            reason = case when d.state = 'retrying' and in_remaining = 'keep' then 'retired'
              else d.reason end,
            dead_at = case when d.state = 'retrying' and in_remaining = 'keep' then at
              else d.dead_at end,
            resolution = case when d.state = 'resolved' then d.resolution
              when in_remaining = 'discard' then 'discarded' end,
            resolved_at = case when d.state = 'resolved' then d.resolved_at
              when in_remaining = 'discard' then at end,
            note = case when d.state = 'resolved' then d.note
              when in_remaining = 'discard' then in_note end
          where d.consumer = in_consumer and d.generation = 0
          returning d.state, d.resolved_at
      )
      select count(*) filter (where m.state = 'retired' or m.resolved_at = at) into count from moved m;
      return count;
    end $$`
}
