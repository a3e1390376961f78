/**
 * Gives the deliveries of a subscription that is over a generation of their own, so that they are
 * in nobody's way who has the same name later: the highest number of a delivery there is, which is
 * higher than at any time before at which there was something of this name to set aside. What was
 * dead or retrying is then 'retired', or discarded. Answers how many of these there were.
 *
 * Nobody may file anything for the consumer meanwhile: its cursors are locked, or gone. What
 * somebody redrives or discards meanwhile is taken as that has left it.
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
