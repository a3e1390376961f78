import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { createRelay } from '@oncekey/outbox'
import { natsPublisher } from '@oncekey/outbox/nats'
import { postgresLog } from '@oncekey/postgres'
import { Pool } from 'pg'

const connection = await connect({ servers: 'nats://127.0.0.1', maxReconnectAttempts: -1 })
const broker = natsPublisher({
  name: 'nats',
  jetstream: jetstream(connection),
  subject: (event) => `shop.${event.type}`, // a stream with the subjects `shop.>` takes them
})

const relay = createRelay({ log: postgresLog({ client: new Pool() }), consumers: [broker] })
relay.start()
