import { BadInput, type Form } from './route.ts'

/** Reads the fields of a form, or of a JSON object of texts. At most 1 MiB. */
export async function formOf(request: Request): Promise<Form> {
  const fields = await fieldsOf(request)
  const optional = (name: string): string | undefined => fields.get(name) || undefined
  return {
    optional,
    text(name) {
      const value = fields.get(name)
      if (value === undefined) throw new BadInput(`\`${name}\` is missing.`)
      return value
    },
  }
}

async function fieldsOf(request: Request): Promise<ReadonlyMap<string, string>> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  const text = await textOf(request)
  if (type === 'application/x-www-form-urlencoded') return new Map(new URLSearchParams(text))
  if (type !== 'application/json') {
    throw new BadInput(
      `Send a form (application/x-www-form-urlencoded) or JSON (application/json), not ${type ?? 'a body without a type'}.`,
    )
  }
  const parsed = parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new BadInput('Send a JSON object whose values are texts.')
  }
  return new Map(Object.entries(parsed).map(([name, value]) => [name, String(value)]))
}

async function textOf({ body }: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > MOST_BYTES) throw new BadInput(`At most ${MOST_BYTES} bytes are taken.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BadInput('The body is not JSON.')
  }
}

const MOST_BYTES = 1024 * 1024
