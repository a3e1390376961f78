/**
 * Raises OK007 if the statement before it wrote or deleted no row although it had to. A trigger
 * that returns NULL, or a rule, on one of our tables drops a write without an error; without this
 * check the dropped write would be reported as stored.
 */
export function refuseDropped(table: string, isDropped = 'not found'): string {
  return `if ${isDropped} then
        raise exception 'a write to the table "${table}" of Oncekey was dropped'
          using errcode = 'OK007',
            hint = 'A trigger, rule or policy that somebody put on the table does that: remove it.';
      end if;`
}
