/**
 * Names that a snippet uses and does not declare, because its reader has them already. A string is
 * the type for `declare const`; `from` is the module that exports the name.
 */
type Names = Readonly<Record<string, string | { readonly from: string }>>

const from = (module: string): { readonly from: string } => ({ from: module })

/** On every page. */
export const everywhere: Names = {
  pool: "import('pg').Pool",
  store: "import('@oncekey/core').Store<import('pg').PoolClient>",
  log: "ReturnType<typeof import('@oncekey/postgres').postgresLog>",
  hooks: "ReturnType<typeof import('@oncekey/webhooks').webhooks>",
  app: "import('express').Express",
  order: '{ id: number; item: string }',
  gateway:
    '{ charge(...of: unknown[]): Promise<{ id: string; cents: number; declined: boolean; code: string }>; ' +
    'refund(...of: unknown[]): Promise<void> }',
  show: "ReturnType<typeof import('@oncekey/dashboard').dashboard>",
  dead: "ReturnType<typeof import('@oncekey/outbox').deadLetters>",
  sagas: "ReturnType<typeof import('@oncekey/saga').createSagaRunner>",
  endpoint: '{ id: string }',
  job: '{ id: string; data: { amount: number } }',
  tenant: 'string',
  customer: 'string',
  url: 'string',
  id: 'string',
  ids: 'string[]',
  deployedAt: 'Date',
  token: 'string',
  ca: 'string',
  cert: 'string',
  key: 'string',
  userOf: '(request: unknown) => { id: string; email: string; isOperator: boolean }',
  accountOf: '(request: Request) => string',
  pino: '() => { info(o: object, m?: string): void; warn(o: object, m?: string): void; error(o: object, m?: string): void }',
  express: from('express'),
  Pool: from('pg'),
  PoolClient: from('pg'),
  createServer: from('node:http'),
  idempotency: from('@oncekey/express'),
  postgresStore: from('@oncekey/postgres'),
  redisStore: from('@oncekey/redis'),
  postgresLog: from('@oncekey/postgres'),
  migrate: from('@oncekey/postgres'),
  createRelay: from('@oncekey/outbox'),
  consumer: from('@oncekey/outbox'),
  deadLetters: from('@oncekey/outbox'),
  saga: from('@oncekey/saga'),
  webhooks: from('@oncekey/webhooks'),
  webhookMigrations: from('@oncekey/webhooks'),
  receiveWebhook: from('@oncekey/webhooks'),
  postgresEvents: from('@oncekey/postgres'),
  dashboard: from('@oncekey/dashboard'),
  toNode: from('@oncekey/dashboard/node'),
}

/** By which the module of a snippet that runs asks for the names that its reader has. */
export const GIVEN = 'givenToTheSnippet'

const given = (name: string, type: string): string =>
  `export const ${name} = (globalThis as any).${GIVEN}('${name}', '') as ${type}
`

/** Files of the reader that snippets import. */
export const FILES: Readonly<Record<string, string>> = {
  'pool.ts': given('pool', "import('pg').Pool"),
  'store.ts':
    given('key', "import('@oncekey/core').KeyName") +
    given('operations', "import('@oncekey/core').Operations"),
}

interface Around {
  readonly page: string
  /** Text that a snippet has to contain. Without it, all snippets of the page are meant. */
  readonly having?: string
  readonly names?: Names
  /** Code to put before and after a snippet that is only a part of an expression. */
  readonly wrap?: readonly [string, string]
  /** The folder whose dependencies the snippet imports. @default tests/docs */
  readonly home?: string
  /** Why the snippet is neither compiled nor run here. */
  readonly skip?: string
}

const fastify: Names = { app: "import('fastify').FastifyInstance" }
const onceOfExpress: Names = {
  once: "ReturnType<typeof import('@oncekey/express').idempotency<import('pg').PoolClient>>",
}

const WITH_LOGIN =
  "(req: import('http').IncomingMessage & { user?: { email: string; isOperator: boolean } }, " +
  "res: import('http').ServerResponse, next: () => void) => void"

/** The first entry that fits a snippet counts. */
export const around: readonly Around[] = [
  { page: 'docs/bridges.md', skip: 'compiled by packages/postgres/test/bridges/docs.test.ts' },
  { page: 'docs/publishers.md', skip: 'compiled by the publisher snippets of packages/outbox' },
  { page: 'docs/testing.md', skip: 'each block is a file of examples/testing' },
  { page: 'docs/adapters.md', skip: 'compiled by packages/node/test/koa' },
  { page: 'docs/writing-a-store.md', skip: 'a store that the workspace does not have' },
  { page: 'docs/recipes.md', having: 'placeAll(' },
  { page: 'docs/recipes.md', having: 'atThree(' },
  {
    page: 'docs/recipes.md',
    having: 'placeOrder(form',
    names: { currentUser: '() => Promise<{ id: string }>' },
  },
  {
    page: 'docs/recipes.md',
    having: 'kept.relay',
    names: { shipping: "import('@oncekey/outbox').Consumer<import('pg').PoolClient>" },
  },
  {
    page: 'docs/recipes.md',
    home: 'examples/trpc',
    names: {
      once: "ReturnType<typeof import('@oncekey/express').idempotency<object>>",
      authenticate: "import('express').RequestHandler",
      router: "import('@trpc/server').AnyRouter",
    },
  },
  { page: 'packages/conformance/README.md', skip: 'followed by tests/packaging' },
  { page: 'docs/http.md', having: 'release()', names: onceOfExpress },
  { page: 'docs/http.md', having: 'savepoint', names: onceOfExpress },
  { page: 'docs/http.md', having: 'inOurForm' },
  { page: 'docs/http.md', wrap: ["idempotency({ store, scope: () => 'ana',\n", '})'] },
  { page: 'docs/dashboard.md', having: 'app.register', names: fastify },
  {
    page: 'docs/dashboard.md',
    having: 'nest.use(',
    names: { nest: "import('@nestjs/common').INestApplication" },
  },
  { page: 'docs/migrating.md', having: 'old_keys', names: onceOfExpress },
  {
    page: 'docs/migrating.md',
    having: 'class OldKeys',
    home: 'packages/nestjs',
    names: {
      find: "(request: unknown) => Promise<{ status: number; body: Record<string, unknown> } | 'running' | undefined>",
    },
  },
  {
    page: 'docs/dashboard.md',
    having: 'loggedIn.run(req.user',
    // An application that has declared what its login puts on the request.
    names: { app: `{ use(path: string, ...of: (${WITH_LOGIN})[]): void }`, session: WITH_LOGIN },
  },
  // It makes a relay in its function.
  { page: 'docs/deploys.md', having: 'export async function GET' },
  {
    page: 'docs/deploys.md',
    names: {
      ...onceOfExpress,
      server: "import('node:http').Server",
      relay: "import('@oncekey/outbox').Relay",
    },
  },
  {
    page: 'docs/dashboard.md',
    having: '  authorize,',
    names: {
      authorize: "import('@oncekey/dashboard').DashboardOptions['authorize']",
      sagas: "ReturnType<typeof import('@oncekey/saga').sagaOperator>",
    },
  },
  {
    page: 'docs/dashboard.md',
    having: 'app.all',
    names: {
      app: "{ all(path: string, handler: (c: import('hono').Context) => unknown): void } & import('express').Express",
    },
  },
  {
    page: 'docs/saga.md',
    having: "saga<Order, PoolClient>('order'",
    names: {
      createOrder: '() => { orderId: string }',
      cancelOrder: '() => void',
      charge: '() => { chargeId: string }',
      refund: '() => void',
    },
    wrap: ['interface Order { cents: number }\n', ''],
  },
  {
    page: 'docs/saga.md',
    having: "'/orders/runs/:id'",
    names: {
      ...onceOfExpress,
      shipping:
        "import('@oncekey/saga').Saga<{ customer: string; item: string }, unknown, import('pg').PoolClient, unknown>",
    },
  },
  {
    page: 'docs/saga.md',
    having: 'sagas.submit(shipping',
    names: { shipping: "ReturnType<typeof import('@oncekey/saga').saga>" },
  },
  {
    page: 'docs/tenants.md',
    having: 'storeOf(',
    names: { urlOf: '(tenant: string) => string' },
  },
  ...['caught(async', 'keepContext'].map((having) => ({
    page: 'packages/express/README.md',
    having,
    names: onceOfExpress,
  })),
  {
    page: 'packages/express/README.md',
    having: 'express.Router()',
    names: { ...onceOfExpress, authenticate: "import('express').RequestHandler" },
  },
  { page: 'packages/client/README.md', having: 'axiosRetry', home: 'tests/clients' },
  {
    page: 'packages/client/README.md',
    having: 'hasOrdered',
    names: { hasOrdered: '(item: string) => Promise<boolean>' },
  },
  { page: 'packages/fastify/README.md', names: fastify },
  {
    page: 'packages/koa/README.md',
    names: { authenticate: "import('koa').Middleware" },
  },
  {
    page: 'packages/nestjs/README.md',
    names: {
      AuthGuard: "import('@nestjs/common').Type<import('@nestjs/common').CanActivate>",
      DatabaseModule: "import('@nestjs/common').Type<object>",
    },
    wrap: ['interface NewOrder { item: string }\n', ''],
  },
  { page: 'packages/openapi/README.md', having: '@fastify/swagger', names: fastify },
  {
    page: 'packages/openapi/README.md',
    having: 'hono-openapi',
    names: { app: "import('hono').Hono" },
  },
  {
    page: 'packages/openapi/README.md',
    having: 'SwaggerModule',
    names: { nest: "import('@nestjs/common').INestApplication" },
  },
  {
    page: 'packages/openapi/README.md',
    having: 'describeWebhooks(',
    names: { document: '{ openapi: string; paths: object }' },
  },
  {
    page: 'packages/openapi/README.md',
    having: 'asyncapi = describeEvents',
    names: { events: "import('@oncekey/openapi').EventDescriptions" },
  },
  {
    page: 'packages/web/README.md',
    having: '@oncekey/web/hono',
    names: { app: "import('hono').Hono<{ Variables: { user: { id: string } } }>" },
  },
  {
    page: 'packages/saga/README.md',
    having: 'sagas.execute(order',
    names: {
      ...onceOfExpress,
      order: "import('@oncekey/saga').Saga<{ cents: number }, import('pg').PoolClient, object>",
    },
  },
  {
    page: 'packages/webhooks/README.md',
    having: 'signWebhook',
    names: {
      event: '{ id: string }',
      current: 'string',
      previous: 'string',
      secrets: 'string[]',
      request: 'Request',
    },
  },
  {
    page: 'packages/redis/README.md',
    having: 'redisLog',
    names: { client: "import('ioredis').Redis" },
  },
]
