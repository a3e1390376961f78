import { graphileWorker } from './graphile-worker.ts'
import { oncekey } from './oncekey.ts'
import { pgBoss } from './pg-boss.ts'
import { pgTransactionalOutbox } from './pg-transactional-outbox.ts'
import type { Queue, QueueOptions } from './queue.ts'

/** The queues by the names that programs take; the others are compared with ours. */
export const queues = {
  Oncekey: oncekey,
  'graphile-worker': graphileWorker,
  'pg-boss': pgBoss,
  'pg-transactional-outbox': pgTransactionalOutbox,
} satisfies Record<string, (options: QueueOptions) => Queue>

export type QueueName = keyof typeof queues
