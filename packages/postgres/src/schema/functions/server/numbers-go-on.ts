import { handedOut, numbersOfEvents } from '../expressions/handed-out.ts'

/**
 * Whether the next event will get a number above all that a consumer has passed; with null, above
 * all that any has passed for which events are kept. If not, the sequence of these numbers is
 * another server's, because rows were copied without it, or somebody set it back, and new events
 * would count as passed.
 *
 * With null, an abandoned consumer does not count: nobody leases its slots, so nobody would notice
 * and repair its cursors, and nothing would be deleted until the sequence had come as far. If it
 * comes back, its lease asks about its own.
 *
 * A role that may not read the sequence cannot tell, and gets true: see decision 325.
 */
export function numbersGoOn(schema: string): string {
  return `create function ${schema}.numbers_go_on(in_consumer text) returns boolean
    language plpgsql stable set enable_seqscan = off set jit = off as $$
    declare
      sequence regclass := ${numbersOfEvents(schema)};
      passed bigint;
      handed_out bigint;
    begin
      if not has_sequence_privilege(sequence, 'select') then
        return true;
      end if;
      if in_consumer is null then
        select max(greatest(c.floor, c.seq)) into passed
          from ${schema}.cursors c join ${schema}.consumers k on k.name = c.consumer
          where k.abandoned_at is null;
      else
        select max(greatest(c.floor, c.seq)) into passed
          from ${schema}.cursors c where c.consumer = in_consumer;
      end if;
      ${handedOut('sequence', 'handed_out')}
      return (handed_out < passed) is not true;
    end $$`
}
