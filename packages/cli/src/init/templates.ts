import type { Framework, Project, StoreKind } from './project.ts'

/** The names and contents of the two files that `oncekey init` writes. */
export interface Integration {
  readonly files: readonly { readonly name: string; readonly text: string }[]
  /** All packages that the files import. */
  readonly packages: readonly string[]
  /** The packages that only the test imports. */
  readonly testPackages: readonly string[]
}

export function integrationFor(project: Project): Integration {
  const { framework, store, isTypeScript, isModule } = project
  const ending = `${isModule ? '' : 'm'}${isTypeScript ? 'ts' : 'js'}`
  const compiled = `./idempotency.${isModule ? '' : 'm'}js`
  return {
    files: [
      { name: `idempotency.${ending}`, text: integration(framework, store, isTypeScript) },
      { name: `idempotency.test.${ending}`, text: testOf(project, compiled) },
    ],
    packages: [FRAMEWORK_PACKAGES[framework], ...STORE_PACKAGES[store]],
    testPackages: framework === 'hono' ? ['@hono/node-server'] : [],
  }
}

const FRAMEWORK_PACKAGES: Readonly<Record<Framework, string>> = {
  nest: '@oncekey/nestjs',
  express: '@oncekey/express',
  fastify: '@oncekey/fastify',
  hono: '@oncekey/web',
  koa: '@oncekey/koa',
  next: '@oncekey/web',
}

const STORE_PACKAGES: Readonly<Record<StoreKind, readonly string[]>> = {
  postgres: ['@oncekey/postgres', 'pg'],
  redis: ['@oncekey/redis', 'ioredis'],
  memory: ['@oncekey/core'],
}

function integration(framework: Framework, store: StoreKind, isTypeScript: boolean): string {
  const [imported, made, argument] = {
    nest: [
      "import { IdempotencyModule } from '@oncekey/nestjs'",
      'IdempotencyModule.forRoot',
      'request',
    ],
    express: ["import { idempotency } from '@oncekey/express'", 'idempotency', 'req'],
    fastify: ["import idempotency from '@oncekey/fastify'", 'idempotency.with', 'request'],
    hono: ["import { idempotency } from '@oncekey/web/hono'", 'idempotency', 'c'],
    koa: ["import { idempotency } from '@oncekey/koa'", 'idempotency', 'ctx'],
    next: ["import { idempotency } from '@oncekey/web'", 'idempotency', 'request'],
  }[framework] as [string, string, string]
  const use = {
    nest: 'imports: [once] in the root module, @Idempotent() on a controller or route',
    express: "app.post('/orders', express.json(), once, handler)",
    fastify: 'await app.register(once), before the routes that it covers',
    hono: "app.post('/orders', once, handler)",
    koa: 'app.use(authenticate).use(bodyParser()).use(once), before the routes',
    next: 'export const POST = once(async (request) => …), in a route.ts',
  }[framework]
  return `${imported}
${STORE_IMPORTS[store]}

${STORE_CODE[store]}
${framework === 'next' ? sessionOf(isTypeScript) : ''}
/** A request with an Idempotency-Key takes effect once: ${use}. */
export const once = ${made}({
  store,
  // Whose key it is, because two clients may choose the same one. Take the account that your
  // authentication found, and no token or session: a retry with a new one would run again. Without
  // an account ('') a request with a key is refused.
  scope: ${scopeOf(framework, argument, isTypeScript)},
})
`
}

function scopeOf(framework: Framework, argument: string, isTypeScript: boolean): string {
  if (framework === 'next') return "async (request) => (await session.accountOf(request)) ?? ''"
  if (framework === 'hono') return "(c) => c.get('user')?.id ?? ''"
  if (framework === 'koa') return "(ctx) => ctx.state.user?.id ?? ''"
  const request = isTypeScript ? `(${argument} as { user?: { id: string } })` : argument
  return `(${argument}) => ${request}.user?.id ?? ''`
}

/** Next.js knows no account, so what the scope asks is left to be written. */
function sessionOf(isTypeScript: boolean): string {
  const [request, result] = isTypeScript
    ? ['_request: Request', ': Promise<string | undefined>']
    : ['_request', '']
  return `
/** Returns the account of a request. Write here what your session says: (await auth())?.user?.id */
export const session = { accountOf: async (${request})${result} => undefined }
`
}

const STORE_IMPORTS: Readonly<Record<StoreKind, string>> = {
  postgres: "import { migrate, postgresStore } from '@oncekey/postgres'\nimport pg from 'pg'",
  redis: "import { redisStore } from '@oncekey/redis'\nimport { Redis } from 'ioredis'",
  memory: "import { memoryStore } from '@oncekey/core'",
}

const STORE_CODE: Readonly<Record<StoreKind, string>> = {
  postgres: `const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
export const store = postgresStore({ client: pool })

/** Creates the tables. Once for each deploy, before the application starts. */
export const prepare = () => migrate(pool)

export const close = () => pool.end()`,
  redis: `const client = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379')
const subscriber = client.duplicate()
export const store = redisStore({ client, subscriber })

/** Nothing has to be created in Redis. */
export const prepare = async () => {}

export const close = async () => {
  client.disconnect()
  subscriber.disconnect()
}`,
  memory: `// For one process, and until it ends: take @oncekey/postgres or @oncekey/redis in production.
export const store = memoryStore()

export const prepare = async () => {}

export const close = async () => {}`,
}

function testOf(
  { framework, testRunner: runner, isTypeScript }: Project,
  integrationFile: string,
): string {
  const [setUp, tearDown] = runner === 'vitest' ? ['beforeAll', 'afterAll'] : ['before', 'after']
  const imports =
    runner === 'vitest'
      ? `import { ${tearDown}, ${setUp}, test } from 'vitest'`
      : `import { ${tearDown}, ${setUp}, test } from 'node:test'`
  const { send = 'fetch', imported = '' } = FRAMEWORK_TESTS[framework]
  return `import assert from 'node:assert/strict'
${FRAMEWORK_TESTS[framework].imports}
${imports}
import { close, once, prepare${imported} } from '${integrationFile}'

let runs = 0
${FRAMEWORK_TESTS[framework].server(isTypeScript)}

${setUp}(async () => {
  await prepare()
  await listen()
})
${tearDown}(async () => {
  await stop()
  await close()
})

test('a request that is sent again gets the same response, and its handler runs once', async () => {
  const send = () =>
    ${send}(address(), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ item: 'book' }),
    })${send === 'fetch' ? '' : ')'}
  const key = crypto.randomUUID()
  const [first, again] = [await send(), await send()]
  assert.equal(first.status, 201)
  assert.equal(again.status, 201)
  assert.deepEqual(await again.json(), await first.json())
  assert.equal(again.headers.get('x-idempotency-replayed'), 'true')
  assert.equal(runs, 1)
})
`
}

const FRAMEWORK_TESTS: Readonly<
  Record<
    Framework,
    {
      readonly imports: string
      server(isTypeScript: boolean): string
      readonly send?: string
      /** What the test imports from the integration as well. */
      readonly imported?: string
    }
  >
> = {
  nest: {
    imports: `import { Controller, type INestApplication, Module, Post } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Idempotent } from '@oncekey/nestjs'`,
    server: () => `let app: INestApplication

@Controller('orders')
@Idempotent()
class Orders {
  @Post()
  place() {
    runs += 1
    return { order: runs }
  }
}

@Module({ imports: [once], controllers: [Orders] })
class Shop {}

const listen = async () => {
  app = await NestFactory.create(Shop, { logger: false })
  // Stands in for your authentication.
  app.use((request: object, _: unknown, next: () => void) => {
    Object.assign(request, { user: { id: 'customer-7' } })
    next()
  })
  await app.listen(0, '127.0.0.1')
}
const stop = () => app.close()
const address = () => \`http://127.0.0.1:\${app.getHttpServer().address().port}/orders\``,
  },
  express: {
    imports: "import { createServer } from 'node:http'\nimport express from 'express'",
    server: () => `const app = express()
// Stands in for your authentication.
app.use((req, _, next) => {
  Object.assign(req, { user: { id: 'customer-7' } })
  next()
})
app.post('/orders', express.json(), once, (req, res) => {
  runs += 1
  res.status(201).json({ order: runs })
})
const server = createServer(app)
const listen = () => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(true)))
const stop = () => new Promise((resolve) => server.close(resolve))
const address = () => \`http://127.0.0.1:\${Object(server.address()).port}/orders\``,
  },
  fastify: {
    imports: "import Fastify from 'fastify'",
    server: () => `const app = Fastify()
// Stands in for your authentication.
app.addHook('onRequest', async (request) => {
  Object.assign(request, { user: { id: 'customer-7' } })
})
const listen = async () => {
  await app.register(once)
  app.post('/orders', async (request, reply) => {
    runs += 1
    return reply.code(201).send({ order: runs })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
}
const stop = () => app.close()
const address = () => \`http://127.0.0.1:\${Object(app.server.address()).port}/orders\``,
  },
  hono: {
    imports: "import { createAdaptorServer } from '@hono/node-server'\nimport { Hono } from 'hono'",
    server: (
      isTypeScript,
    ) => `const app = new Hono${isTypeScript ? '<{ Variables: { user: { id: string } } }>' : ''}()
// Stands in for your authentication.
app.use(async (c, next) => {
  c.set('user', { id: 'customer-7' })
  await next()
})
app.post('/orders', once, (c) => {
  runs += 1
  return c.json({ order: runs }, 201)
})
const server = createAdaptorServer(app)
const listen = () => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(true)))
const stop = () => new Promise((resolve) => server.close(resolve))
const address = () => \`http://127.0.0.1:\${Object(server.address()).port}/orders\``,
  },
  koa: {
    imports: "import { createServer } from 'node:http'\nimport Koa from 'koa'",
    server: () => `const app = new Koa()
// Stands in for your authentication.
app.use((ctx, next) => {
  ctx.state.user = { id: 'customer-7' }
  return next()
})
app.use(once).use((ctx) => {
  runs += 1
  ctx.status = 201
  ctx.body = { order: runs }
})
const server = createServer(app.callback())
const listen = () => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(true)))
const stop = () => new Promise((resolve) => server.close(resolve))
const address = () => \`http://127.0.0.1:\${Object(server.address()).port}/orders\``,
  },
  next: {
    imports: '// A route handler is a function of a Request, so it needs no server here.',
    server: () => `// Stands in for your session.
session.accountOf = async () => 'customer-7'
const POST = once(async () => {
  runs += 1
  return Response.json({ order: runs }, { status: 201 })
})
const listen = async () => {}
const stop = async () => {}
const address = () => 'http://127.0.0.1/orders'`,
    send: 'POST(new Request',
    imported: ', session',
  },
}
