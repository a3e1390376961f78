/**
 * Whether a client that sent this `Accept-Encoding` can be given a body in this coding, by RFC 9110
 * section 12.5.3. Without the header every coding is accepted; an empty header accepts only
 * `identity`.
 */
export function accepts(acceptEncoding: string | undefined, coding: string): boolean {
  if (acceptEncoding === undefined) return true
  const weights = weightsOf(acceptEncoding)
  const weight = weights.get(canonicalCoding(coding)) ?? weights.get('*')
  return weight === undefined ? canonicalCoding(coding) === 'identity' : weight > 0
}

/** The coding in lower case, under one name where it has two (RFC 9110 section 8.4.1). */
export function canonicalCoding(coding: string): string {
  const name = coding.trim().toLowerCase()
  if (name === 'x-gzip') return 'gzip'
  return name === 'x-compress' ? 'compress' : name
}

function weightsOf(acceptEncoding: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const item of acceptEncoding.split(',')) {
    const [name = '', ...parameters] = item.split(';')
    const coding = canonicalCoding(name)
    if (coding !== '') weights.set(coding, weightOf(parameters))
  }
  return weights
}

/** An invalid weight counts as 1, the default, because the coding was named. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [, weight] = /^\s*q\s*=\s*([\d.]+)\s*$/i.exec(parameter) ?? []
    if (weight !== undefined) return Number.isNaN(Number(weight)) ? 1 : Number(weight)
  }
  return 1
}
