import type { Packed } from './packed.ts'

export interface Judgement {
  /** Faults that have to be mended before a release. */
  readonly faults: readonly string[]
  /** Facts that are not known yet and are needed for the first release. */
  readonly missing: readonly string[]
}

/**
 * Checks the tarballs that would be published for faults that publint and "are the types wrong" do
 * not look for.
 */
export function judge(
  packed: readonly Packed[],
  limits: Readonly<Record<string, number>>,
): Judgement {
  const versions = new Set(packed.map(({ manifest }) => manifest.version))
  const faults = packed.flatMap((one) => faultsOf(one, limits))
  if (versions.size > 1) {
    faults.push(`The packages share one version, and have ${[...versions].sort().join(', ')}.`)
  }
  const unknown = (['repository', 'homepage'] as const).filter((field) =>
    packed.some(({ manifest }) => manifest[field] === undefined),
  )
  return {
    faults,
    missing: unknown.map(
      (field) => `"${field}" is in no package.json; provenance and registry pages need it.`,
    ),
  }
}

function faultsOf(packed: Packed, limits: Readonly<Record<string, number>>): string[] {
  const { manifest, files, bytes } = packed
  const { name } = manifest
  const faults: string[] = []
  for (const file of ['README.md', 'LICENSE', 'package.json']) {
    if (!files.includes(file)) faults.push(`${name}: has no ${file}`)
  }
  if (!files.some((file) => file.startsWith('dist/'))) {
    faults.push(`${name}: has no dist; run npx -y pnpm@12 build first`)
  }
  for (const script of ['preinstall', 'install', 'postinstall']) {
    if (manifest.scripts?.[script] !== undefined) faults.push(`${name}: runs a script (${script})`)
  }
  const { dependencies, peerDependencies, optionalDependencies } = manifest
  for (const [of, range] of Object.entries({
    ...dependencies,
    ...peerDependencies,
    ...optionalDependencies,
  })) {
    if (/^(workspace|catalog|file|link):/.test(range)) {
      faults.push(`${name}: depends on ${of} as ${range}, which no registry knows`)
    }
  }
  const limit = limits[name]
  if (limit === undefined) {
    faults.push(`${name}: has no limit in tools/release/size-limits.json (it has ${bytes} bytes)`)
  } else if (bytes > limit) {
    faults.push(`${name}: has ${bytes} bytes packed; ${limit} are the limit`)
  }
  return faults
}
