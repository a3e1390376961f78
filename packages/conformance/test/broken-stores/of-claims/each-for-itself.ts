import type { BrokenStore } from '../broken-store.ts'
import { plainFixture } from '../plain-fixture.ts'

/** gofiber's default: locks and records of a single process. */
export const eachForItself: BrokenStore = {
  fault: 'shares nothing between instances',
  modes: ['transaction', 'lease'],
  create: (mode) => ({ ...plainFixture(mode), another: () => plainFixture(mode).store }),
  caughtBy: [
    'claims: of 100 concurrent claims through two instances one gets `run`',
    'the record decides first: a key that one instance finished is replayed by another',
    'byte-exact responses: replays the same through another instance',
    'waiting: ends with a replay when the attempt completes in another instance',
  ],
}
