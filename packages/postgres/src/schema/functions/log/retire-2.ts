/**
 * Deletes a consumer and sets its unfinished deliveries aside, in one transaction. Its cursors are
 * locked first, in the order in which every function locks them. So a delivery that is being filed,
 * or whose verdict is being recorded, is either included or refused afterwards. Then its dead
 * letters are locked, in order of their ids, as by those who redrive or discard several of them.
 */
export function retire2(schema: string): string {
  return `create function ${schema}.retire_2(in_consumer text, in_remaining text, in_note text)
    returns bigint language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      count bigint;
    begin
      perform from ${schema}.cursors c where c.consumer = in_consumer order by c.slot for update;
      perform from ${schema}.deliveries d
        where d.consumer = in_consumer and d.state = 'dead' order by d.id for no key update;
      count := ${schema}.set_aside(in_consumer, in_remaining, in_note);
      perform set_config('oncekey.is_set_aside', in_consumer, true);
      delete from ${schema}.consumers where name = in_consumer;
      perform set_config('oncekey.is_set_aside', '', true);
      return count;
    end $$`
}
