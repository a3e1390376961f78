import { refuseDropped } from '../expressions/must-be-written.ts'

/** For a statement that is no function: raises if a delivery that it wrote is not there. */
export function deliveriesWritten(schema: string): string {
  return `create function ${schema}.deliveries_written(in_written boolean) returns boolean
    language plpgsql volatile as $$
    begin
      ${refuseDropped('deliveries', 'in_written is not true')}
      return true;
    end $$`
}
