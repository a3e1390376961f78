import { type VersioningOptions, VersioningType } from '@nestjs/common'

/** The part of Nest's HTTP adapter that registers a route with a version. */
export interface VersioningAdapter {
  applyVersionFilter(handler: never, version: never, options: VersioningOptions): unknown
}

/** Reads which version a request asks for; undefined where the URL says it, or nothing does. */
export type RequestedVersion = (request: object) => string | undefined

/**
 * Listens to how the app tells versions apart, which Nest says with each route that has one. To be
 * called before Nest registers its routes.
 *
 * What counts is what the client sent, never which versions a route serves, nor whether it has any:
 * then a retry still matches after another version was added to the route or to another one. So it
 * is read for routes without versions, too. Before the app has a route with a version, nothing says
 * where a version would be, and none is read.
 */
export function requestedVersion(
  adapter: VersioningAdapter,
  platform: 'express' | 'fastify',
): RequestedVersion {
  let versioning: VersioningOptions | undefined
  const apply = adapter.applyVersionFilter
  adapter.applyVersionFilter = (handler, version, options) => {
    versioning = options
    return apply.call(adapter, handler, version, options)
  }
  return (request) => (versioning && sentVersion(request, versioning, platform)) || undefined
}

/** The version as the client sent it; empty if it sent none. */
function sentVersion(
  request: object,
  versioning: VersioningOptions,
  platform: 'express' | 'fastify',
): string {
  switch (versioning.type) {
    case VersioningType.HEADER:
      return textOf(headerOf(request, versioning.header))
    case VersioningType.MEDIA_TYPE:
      return parameterOf(textOf(headerOf(request, 'accept')), versioning.key)
    case VersioningType.CUSTOM: {
      // On Fastify, Nest's extractor gets the request of Node.
      const given = platform === 'fastify' ? (request as { raw: object }).raw : request
      return textOf(extracted(given, versioning.extractor))
    }
    default:
      return ''
  }
}

/**
 * Nothing if the extractor throws. A route that has a version is not reached then, because Nest has
 * called the extractor before; one without need not have what the extractor expects.
 */
function extracted(request: object, extractor: (request: unknown) => unknown): unknown {
  try {
    return extractor(request)
  } catch {
    return undefined
  }
}

function headerOf(request: object, name: string): unknown {
  return (request as { headers: Record<string, unknown> }).headers[name.toLowerCase()]
}

function textOf(value: unknown): string {
  return [value ?? []].flat().map(String).join()
}

/** The first parameter of the media types that begins with `key`, such as `v=`. */
function parameterOf(accept: string, key: string): string {
  const parameters = accept.split(/[;,]/).map((text) => text.trim())
  const found = parameters.find((text) => text.startsWith(key)) ?? key
  return found.slice(key.length).replace(/^"(.*)"$/, '$1')
}
