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

/**
 * A function that a plain statement calls for the rows it must have written, since only a function
 * can raise. `isWritten` false raises OK007 and undoes the statement. Each package has its own, by
 * its own name.
 */
export function writtenFunction(schema: string, name: string): string {
  return `create function ${schema}.${name}(in_table text, in_is_written boolean) returns boolean
    language plpgsql volatile as $$
    begin
      if in_is_written is not true then
        raise exception 'a write to the table "%" of Oncekey was dropped', in_table
          using errcode = 'OK007',
            hint = 'A trigger, rule or policy that somebody put on the table does that: remove it.';
      end if;
      return true;
    end $$`
}
