import { consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { createSagaRunner, saga, sagaMigrations } from '@oncekey/saga'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { finish, leaveUnknown } from '@oncekey/test-shop'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'

/** The tables that the handlers and consumers of the pages write to. */
const TABLES = `
create table orders (
  id text primary key default gen_random_uuid(), item text, cents int, state text default 'open',
  shipped boolean
);
create table payments (id serial primary key, cents int, charge text, request_key text unique);
create table shipments (order_id text, event_id text unique);
create table seats (show text, free int);
insert into seats values ('hamlet', 10);
create table customers (id text, email text);
insert into customers values ('order-42', 'ana@shop.example');
create table emails (address text);
create table invitations (id text, version int, email text);
create table sales (day timestamptz);
create table my_outbox (id serial primary key, type text, data jsonb);
insert into my_outbox (type, data) values ('order.created', '{}');
create table invoices (
  id text primary key default gen_random_uuid(), event text, cents int, currency text
);
create table charges (order_id text);
create table old_keys (scope text, key text, answer jsonb, primary key (scope, key));
create table tickets (id text primary key, flight text);
create table carts (id serial primary key, touched timestamptz);
insert into carts (touched) values (now() - interval '31 days');
`

export interface World {
  readonly database: Database
  readonly endpointId: string
}

/**
 * A database in which there is what the pages name: key b51d0a30 with an unknown outcome, dead
 * letter 42 of "email", an event with the id that the pages have, an endpoint and a saga run with
 * the endpoint's id.
 */
export async function makeWorld(serverUrl: string): Promise<World> {
  const database = await freshDatabase(serverUrl)
  const pool = new Pool({ connectionString: database.url })
  await migrate(pool, { also: [webhookMigrations, sagaMigrations] })
  await pool.query(TABLES)
  await leaveUnknown(postgresStore({ client: pool, mode: 'lease' }), 'b51d0a30')
  await finish(postgresStore({ client: pool }), '9c1e44aa', '{"id":1}')
  const hooks = webhooks({ client: pool, customerOf: () => 'acme' })
  const { endpoint } = await hooks.endpoints.register({
    customer: 'acme',
    url: 'https://acme.example/hooks',
    types: ['order.*'],
  })
  const log = postgresLog({ client: pool })
  await pool.query('alter table oncekey.deliveries alter column id restart with 42')
  await log.append(
    ['0199f2c8-7a1e-7c60-b9a3-0d4b2a7f4c11', '0199f2c8-7a1e-7c60-b9a3-0d4b2a7f4c12'].map((id) => ({
      id,
      type: 'address.changed',
      source: '/shop',
      subject: 'customer-7',
      orderingKey: 'customer-7',
      data: '{"street":""}',
      headers: {},
      occurredAt: new Date(),
    })),
  )
  const failing = consumer({
    name: 'email',
    maxAttempts: 1,
    handle() {
      throw new Error('the mail server is down')
    },
  })
  const relay = createRelay({ log, consumers: [failing] })
  while ((await relay.runOnce()) > 0);
  await relay.stop()
  const ship = saga<object, unknown>('shipping', { version: 1 }).step('ship', { run: () => ({}) })
  const runner = createSagaRunner({ client: pool, sagas: [ship] })
  await runner.execute(ship, { id: endpoint.id, input: {} })
  await runner.stop()
  await pool.end()
  return { database, endpointId: endpoint.id }
}
