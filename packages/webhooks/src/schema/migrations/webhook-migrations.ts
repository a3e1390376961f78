import { functionsWithoutJit, type PackageMigrations } from '@oncekey/postgres/client'
import { endpointsAndDeliveries } from './0001-endpoints-and-deliveries.ts'
import { failuresOfEndpoints } from './0002-failures-of-endpoints.ts'
import { waysOfEndpoints } from './0003-ways-of-endpoints.ts'
import { answersToWhatWasSent } from './0004-answers-to-what-was-sent.ts'
import { timesAndRotation } from './0005-times-and-rotation.ts'
import { claimsWithinBytes } from './claims-within-bytes.ts'
import { webhookCommentsAndViews } from './comments-and-views.ts'
import { droppedWrites } from './dropped-writes.ts'
import { editedDeliveries } from './edited-deliveries.ts'
import { endpointsOutOfReach } from './endpoints-out-of-reach.ts'
import { markedMessages } from './marked-messages.ts'
import { messagesInUse } from './messages-in-use.ts'
import { shortHistories } from './short-histories.ts'
import { suspectsOneByOne } from './suspects-one-by-one.ts'
import { turnsOfCustomers } from './turns-of-customers.ts'
import { waitsOfEndpoints } from './waits-of-endpoints.ts'

/** The tables of webhooks: pass them to `migrate` of `@oncekey/postgres`, as `also`. */
export const webhookMigrations: PackageMigrations = {
  package: 'webhooks',
  migrations: [
    endpointsAndDeliveries,
    failuresOfEndpoints,
    waysOfEndpoints,
    answersToWhatWasSent,
    timesAndRotation,
    functionsWithoutJit,
    editedDeliveries,
    webhookCommentsAndViews,
    droppedWrites,
    claimsWithinBytes,
    waitsOfEndpoints,
    // Reads a table that may be long, so it comes before those that lock one.
    markedMessages,
    shortHistories,
    messagesInUse,
    endpointsOutOfReach,
    suspectsOneByOne,
    turnsOfCustomers,
  ],
}
