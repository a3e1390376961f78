import type { FastifyInstance } from 'fastify'
import openapiTypescript, { astToString } from 'openapi-typescript'
import { asyncapi } from './events.ts'

/** The generated files of this application, by path: two documents, and the client's types. */
export async function documents(app: FastifyInstance): Promise<Readonly<Record<string, string>>> {
  await app.ready()
  const openapi = app.swagger()
  const types = await openapiTypescript(openapi as never)
  return {
    'openapi.json': `${JSON.stringify(openapi, null, 2)}\n`,
    'asyncapi.json': `${JSON.stringify(asyncapi, null, 2)}\n`,
    'src/api.d.ts': `// Written by "npx -y pnpm@12 documents".\n${astToString(types)}`,
  }
}
