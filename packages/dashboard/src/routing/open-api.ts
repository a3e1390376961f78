import { object, type Schema, text } from '../api/schema.ts'
import type { Described, Route } from './route.ts'

export const OPENAPI_PATH = 'openapi.json'

/**
 * Describes the API in OpenAPI 3.1: a path for every route. The address of its server is relative,
 * so that it is right wherever the dashboard is mounted, also behind a proxy.
 */
export function openApi(routes: readonly Route[]): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'The API of the Oncekey dashboard',
      version: '1',
      description:
        'Pages are GET, acts are POST. Each answers what its page shows. Times are ISO 8601, bytes base64.',
    },
    servers: [{ url: '.' }],
    paths: Object.fromEntries(
      routes.map((route) => [
        `/${route.path}`,
        { [route.method.toLowerCase()]: operationOf(route) },
      ]),
    ),
    components: {
      schemas: { Error: object({ error: text, 'code?': text }) },
      responses: {
        BadInput: failure('What was sent cannot be used; the text says what to send.'),
        Forbidden: failure('Nobody, somebody who may not, or a request from another site.'),
        NotFound: failure(
          'It is not there, or not any more (`code` is `absent`), or this dashboard does not show such things (`not-shown`).',
        ),
        NoList: failure('The store has no list of these: ask for one by its name.'),
        Unavailable: failure('The database does not answer. Nothing is known to have been done.'),
      },
    },
  }
}

function operationOf({ path, method, api }: Route): object {
  const ofRequest =
    method === 'GET' ? { parameters: parametersOf(api.takes) } : { requestBody: bodyOf(api.takes) }
  return {
    operationId: operationId(path, method),
    tags: [path.split('/')[0] || 'overview'],
    summary: api.summary,
    ...ofRequest,
    responses: {
      '200': {
        description: api.summary,
        content: { 'application/json': { schema: api.answers } },
      },
      '400': { $ref: '#/components/responses/BadInput' },
      '403': { $ref: '#/components/responses/Forbidden' },
      '404': { $ref: '#/components/responses/NotFound' },
      ...(api.mayHaveNoList && { '501': { $ref: '#/components/responses/NoList' } }),
      '503': { $ref: '#/components/responses/Unavailable' },
    },
  }
}

/** For POST `keys/release` it is `keysRelease`, for GET `keys/one` it is `getKeysOne`. */
function operationId(path: string, method: string): string {
  const words = (path || 'overview').split(/[/-]/)
  const name = words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`).join('')
  return method === 'GET' ? `get${name}` : `${name[0]?.toLowerCase()}${name.slice(1)}`
}

function parametersOf(takes: Readonly<Record<string, Described>>): object[] {
  return Object.entries(takes).map(([name, described]) => ({
    name,
    in: 'query',
    description: described.about,
    required: described.required === true,
    schema: schemaOf(described),
  }))
}

function bodyOf(takes: Readonly<Record<string, Described>>): object {
  const fields = Object.entries(takes).map(([name, described]) => [
    described.required ? name : `${name}?`,
    { ...schemaOf(described), description: described.about },
  ])
  const schema = object(Object.fromEntries(fields))
  return {
    required: true,
    content: {
      'application/json': { schema },
      'application/x-www-form-urlencoded': { schema },
    },
  }
}

function schemaOf({ choices }: Described): Schema {
  return choices === undefined ? text : { type: 'string', enum: [...choices] }
}

function failure(description: string): object {
  return {
    description,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  }
}
