/**
 * Deletes a consumer and sets its unfinished deliveries aside, in one transaction. Its cursors are
 * locked first, in the order in which every function locks them. So a delivery that is being filed,
 * or whose verdict is being recorded, is either included or refused afterwards.
 */
export function retireFunction(schema: string): string {
  return `create function ${schema}.retire(in_consumer text, in_remaining text, in_note text)
    returns bigint language plpgsql volatile set enable_seqscan = off as $$
    declare
      count bigint;
    begin
      perform from ${schema}.cursors c where c.consumer = in_consumer order by c.slot for update;
      count := ${schema}.set_aside(in_consumer, in_remaining, in_note);
      perform set_config('oncekey.is_set_aside', in_consumer, true);
      delete from ${schema}.consumers where name = in_consumer;
      perform set_config('oncekey.is_set_aside', '', true);
      return count;
    end $$`
}

/**
 * `begin_anew` is a trigger. When a consumer's row is deleted by something other than `retire`,
 * such as a process of an earlier release, it sets the consumer's deliveries aside. When a row is
 * inserted, it does the same with deliveries that an earlier consumer of that name left before this
 * trigger existed.
 */
export function consumersBeginAnew(schema: string): string[] {
  return [
    `create function ${schema}.begin_anew() returns trigger language plpgsql as $$
    declare
      name text := coalesce(new.name, old.name);
    begin
      if name is distinct from current_setting('oncekey.is_set_aside', true) then
        perform ${schema}.set_aside(name, 'keep', null);
      end if;
      return null;
    end $$`,
    `create trigger consumers_begin_anew after insert or delete on ${schema}.consumers
      for each row execute function ${schema}.begin_anew()`,
  ]
}
