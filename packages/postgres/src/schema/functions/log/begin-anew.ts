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
