// Written by "npx -y pnpm@12 documents".
export interface paths {
    "/orders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Place an order */
        post: operations["placeOrder"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface webhooks {
    "order.placed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** An order was placed. */
        post: operations["webhook.order.placed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface components {
    schemas: {
        /** @description An RFC 9457 problem. `retry` says what a client may do next. */
        IdempotencyProblem: {
            /** Format: uri */
            type: string;
            title: string;
            status: number;
            detail: string;
            /** @enum {string} */
            code: "key-missing" | "key-invalid" | "key-reused" | "request-too-large" | "body-unsupported" | "in-progress" | "outcome-unknown" | "result-gone" | "response-too-large" | "transaction-aborted" | "transaction-ended" | "option-failed" | "handler-timeout" | "store-busy" | "store-unavailable" | "commit-failed" | "draining";
            /**
             * @description `same-key`: send the same request again, with the same key. `new-key`: start over with a new key. `never`: neither will help.
             * @enum {string}
             */
            retry: "same-key" | "new-key" | "never";
        };
    };
    responses: {
        /** @description `key-missing`: Idempotency-Key is missing. `key-invalid`: Idempotency-Key is not valid. */
        Idempotency400: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "key-missing" | "key-invalid";
                };
            };
        };
        /** @description `key-reused`: Idempotency-Key is already used. */
        IdempotencyKeyReused: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "key-reused";
                };
            };
        };
        /** @description `request-too-large`: The request is too large to be compared. */
        IdempotencyRequestTooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "request-too-large";
                };
            };
        };
        /** @description `body-unsupported`: The type of the request body is not supported. */
        IdempotencyBodyUnsupported: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "body-unsupported";
                };
            };
        };
        /** @description `in-progress`: A request is outstanding for this Idempotency-Key. `outcome-unknown`: It is not known how the first request with this Idempotency-Key ended. */
        Idempotency409: {
            headers: {
                "Retry-After": components["headers"]["RetryAfter"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "in-progress" | "outcome-unknown";
                };
            };
        };
        /** @description `result-gone`: The request was answered; its answer is not kept. */
        IdempotencyResultGone: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "result-gone";
                };
            };
        };
        /** @description `response-too-large`: The response is too large to be kept. `transaction-aborted`: The transaction of the request was aborted. `transaction-ended`: The transaction of the request was ended early. `option-failed`: A function of the application failed. */
        Idempotency500: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "response-too-large" | "transaction-aborted" | "transaction-ended" | "option-failed";
                };
            };
        };
        /** @description `handler-timeout`: The request took too long. `store-busy`: Too many requests at once. `store-unavailable`: Idempotency cannot be ensured now. `commit-failed`: It is not known whether the request took effect. `draining`: The server is shutting down. */
        Idempotency503: {
            headers: {
                "Retry-After": components["headers"]["RetryAfter"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["IdempotencyProblem"] & {
                    /** @enum {string} */
                    code?: "handler-timeout" | "store-busy" | "store-unavailable" | "commit-failed" | "draining";
                };
            };
        };
    };
    parameters: {
        /** @description The id of the event, the same on every attempt. Process each id once. */
        WebhookId: string;
        /** @description When this attempt was signed, in seconds since 1970. Refuse one that is old. */
        WebhookTimestamp: string;
        /** @description Signatures of `<webhook-id>.<webhook-timestamp>.<body>`, one for each secret in force, separated by spaces: `v1,` with HMAC-SHA256 or `v1a,` with Ed25519, in base64. One that verifies is enough. */
        WebhookSignature: string;
        /** @description The same as `webhook-id`, for logs. Not signed. */
        WebhookEventId: string;
        /** @description Which attempt this is; the first is 1. Not signed, so nothing is decided by it. */
        WebhookDeliveryAttempt: string;
        /** @description Chosen by the client: new for every operation, and the same on every retry of it. A retry gets the first answer again instead of running the operation twice. */
        IdempotencyKey: string;
    };
    requestBodies: never;
    headers: {
        /** @description Present with the value `true` if this is the stored answer to an earlier request. */
        IdempotencyReplayed: "true";
        /** @description Seconds to wait before the same request is sent again. */
        RetryAfter: number;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    placeOrder: {
        parameters: {
            query?: never;
            header: {
                /** @description Chosen by the client: new for every operation, and the same on every retry of it. A retry gets the first answer again instead of running the operation twice. */
                "Idempotency-Key": components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    item: string;
                };
            };
        };
        responses: {
            /** @description The order is placed. */
            201: {
                headers: {
                    "X-Idempotency-Replayed": components["headers"]["IdempotencyReplayed"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        id: number;
                        item: string;
                    };
                };
            };
            400: components["responses"]["Idempotency400"];
            409: components["responses"]["Idempotency409"];
            410: components["responses"]["IdempotencyResultGone"];
            413: components["responses"]["IdempotencyRequestTooLarge"];
            415: components["responses"]["IdempotencyBodyUnsupported"];
            422: components["responses"]["IdempotencyKeyReused"];
            500: components["responses"]["Idempotency500"];
            503: components["responses"]["Idempotency503"];
        };
    };
    "webhook.order.placed": {
        parameters: {
            query?: never;
            header: {
                /** @description The id of the event, the same on every attempt. Process each id once. */
                "webhook-id": components["parameters"]["WebhookId"];
                /** @description When this attempt was signed, in seconds since 1970. Refuse one that is old. */
                "webhook-timestamp": components["parameters"]["WebhookTimestamp"];
                /** @description Signatures of `<webhook-id>.<webhook-timestamp>.<body>`, one for each secret in force, separated by spaces: `v1,` with HMAC-SHA256 or `v1a,` with Ed25519, in base64. One that verifies is enough. */
                "webhook-signature": components["parameters"]["WebhookSignature"];
                /** @description The same as `webhook-id`, for logs. Not signed. */
                "x-event-id": components["parameters"]["WebhookEventId"];
                /** @description Which attempt this is; the first is 1. Not signed, so nothing is decided by it. */
                "x-delivery-attempt": components["parameters"]["WebhookDeliveryAttempt"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "order.placed";
                    /**
                     * Format: date-time
                     * @description When it happened.
                     */
                    timestamp: string;
                    data: {
                        id: number;
                        item: string;
                    };
                };
            };
        };
        responses: {
            /** @description The endpoint is gone: it is disabled, and gets no more. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The delivery is accepted, and not sent again. */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The delivery is refused for good, except for 408, 409, 421, 423, 425 and 429, after which it is sent again. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The delivery is sent again later, not before `Retry-After`. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
