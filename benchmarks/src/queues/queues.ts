import { graphileWorker } from './graphile-worker.ts'
import { oncekey } from './oncekey.ts'
import { pgBoss } from './pg-boss.ts'
import { pgTransactionalOutbox } from './pg-transactional-outbox.ts'
import type { Queue, QueueOptions } from './queue.ts'

/** By the name that a program is told; ours is the one that the others are compared with. */
export const queues = {
  Oncekey: oncekey,
  'graphile-worker': graphileWorker,
  'pg-boss': pgBoss,
  'pg-transactional-outbox': pgTransactionalOutbox,
} satisfies Record<string, (options: QueueOptions) => Queue>

export type QueueName = keyof typeof queues
