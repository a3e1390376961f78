import { retire2 } from '../../functions/log/retire-2.ts'

/** Whoever waits for several dead letters locks them in one order: see decision 336. */
export function lettersInOrder(schema: string): string[] {
  return [retire2(schema)]
}
