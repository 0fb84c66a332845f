import { isJson, type Json } from '../wire/json.js';
import { event, type Dialect, type ModelAnswer } from './dialect.js';
import { textOf, type ModelMessage } from './request.js';

/** Anthropic's Messages API. https://docs.anthropic.com/en/api/messages */
export const anthropic: Dialect = {
  api: 'anthropic',

  parse: (body) => ({
    model: String(body['model'] ?? ''),
    messages: [
      ...(body['system'] === undefined ? [] : [{ role: 'system' as const, text: textOf(body['system']) }]),
      ...list(body['messages']).flatMap(messages),
    ],
    tools: list(body['tools']).map((tool) => String(tool['name'])),
    stream: body['stream'] === true,
    usage: true,
    user: isJson(body['metadata']) && typeof body['metadata']['user_id'] === 'string' ? body['metadata']['user_id'] : undefined,
  }),

  whole: (answer) => ({ ...head(answer), content: content(answer), stop_reason: stopReason(answer), usage: usage(answer) }),

  frames: (answer) => {
    const named = (data: Json & { type: string }): string => event(data, data.type);
    const tools = answer.toolCalls.flatMap((call, position) => {
      const index = position + (answer.text ? 1 : 0);
      return [
        named({ type: 'content_block_start', index, content_block: { type: 'tool_use', id: call.id, name: call.name, input: {} } }),
        named({
          type: 'content_block_delta',
          index,
          delta: { type: 'input_json_delta', partial_json: JSON.stringify(call.arguments) },
        }),
        named({ type: 'content_block_stop', index }),
      ];
    });
    return {
      begin: [
        named({
          type: 'message_start',
          message: { ...head(answer), content: [], stop_reason: null, usage: { ...usage(answer), output_tokens: 0 } },
        }),
        ...(answer.text ? [named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })] : []),
      ],
      token: (token) => named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: token } }),
      end: [
        ...(answer.text ? [named({ type: 'content_block_stop', index: 0 })] : []),
        ...tools,
        named({
          type: 'message_delta',
          delta: { stop_reason: stopReason(answer), stop_sequence: null },
          usage: { output_tokens: answer.outputTokens },
        }),
        named({ type: 'message_stop' }),
      ],
    };
  },

  failure: (status, message) => ({
    type: 'error',
    error: { type: errorTypes[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error'), message },
  }),
};

const errorTypes: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

/** Results of tools come inside a user message, but are not what the user said. */
function messages(raw: Json): ModelMessage[] {
  const blocks = list(raw['content']);
  const role = raw['role'] === 'assistant' ? 'assistant' : 'user';
  const results = blocks
    .filter((block) => block['type'] === 'tool_result')
    .map((block): ModelMessage => ({ role: 'tool', text: textOf(block['content']) }));
  const toolCalls = blocks
    .filter((block) => block['type'] === 'tool_use')
    .map((block) => ({ name: String(block['name']), arguments: isJson(block['input']) ? block['input'] : {} }));
  const text = typeof raw['content'] === 'string' ? raw['content'] : textOf(blocks.filter((block) => block['type'] === 'text'));
  const own: ModelMessage[] = text || results.length === 0 ? [{ role, text, ...(toolCalls.length > 0 && { toolCalls }) }] : [];
  return [...results, ...own];
}

function head(answer: ModelAnswer): Json {
  return { id: `msg_${answer.id}`, type: 'message', role: 'assistant', model: answer.model, stop_sequence: null };
}

function content(answer: ModelAnswer): Json[] {
  const calls = answer.toolCalls.map(({ id, name, arguments: input }) => ({ type: 'tool_use', id, name, input }));
  return [...(answer.text ? [{ type: 'text', text: answer.text }] : []), ...calls];
}

function stopReason(answer: ModelAnswer): string {
  return answer.toolCalls.length > 0 ? 'tool_use' : 'end_turn';
}

function usage(answer: ModelAnswer): Json {
  return {
    input_tokens: answer.inputTokens,
    output_tokens: answer.outputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}
