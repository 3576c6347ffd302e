// The calls of llama.cpp that may throw, with the exception as text instead.
//
// An exception that reached Rust would end the process.  Calls that llama.cpp guards itself
// (loading a model, making a context, setting a state) are not here.  Nothing else is added:
// what the arguments must be is checked by the caller, src/bridge/llama/.

#include "llama.h"

#include <cstdint>
#include <cstdio>
#include <exception>

namespace {

// What a call gives that threw; no function here gives it otherwise.
constexpr int32_t THREW = INT32_MIN;

template <typename Call, typename Result>
Result guarded(char * error, size_t size, Result failed, Call call) {
    try {
        return call();
    } catch (const std::exception & thrown) {
        std::snprintf(error, size, "%s", thrown.what());
    } catch (...) {
        std::snprintf(error, size, "unknown exception");
    }
    return failed;
}

} // namespace

extern "C" {

// Where the release puts the constructors of llama.cpp's tables (lazy.ld); otherwise they have run
// before main, and these are null.
extern void (*const agi_llama_init_start[])() __attribute__((weak));
extern void (*const agi_llama_init_end[])() __attribute__((weak));

// Before the first call of llama.cpp, once.
void agi_llama_begin() {
    for (auto * one = agi_llama_init_start; one < agi_llama_init_end; ++one) {
        (*one)();
    }
}

int32_t agi_llama_decode(llama_context * ctx, llama_batch batch, char * error, size_t size) {
    return guarded(error, size, THREW, [&] { return llama_decode(ctx, batch); });
}

int32_t agi_llama_encode(llama_context * ctx, llama_batch batch, char * error, size_t size) {
    return guarded(error, size, THREW, [&] { return llama_encode(ctx, batch); });
}

int32_t agi_llama_tokenize(const llama_vocab * vocab, const char * text, int32_t length,
                           llama_token * tokens, int32_t room, bool special, bool markup,
                           char * error, size_t size) {
    return guarded(error, size, THREW, [&] {
        return llama_tokenize(vocab, text, length, tokens, room, special, markup);
    });
}

llama_sampler * agi_llama_grammar(const llama_vocab * vocab, const char * grammar,
                                  const char * root, const char ** triggers, size_t count,
                                  char * error, size_t size) {
    llama_sampler * none = nullptr;
    return guarded(error, size, none, [&] {
        return count == 0 ? llama_sampler_init_grammar(vocab, grammar, root)
                          : llama_sampler_init_grammar_lazy_patterns(
                                vocab, grammar, root, triggers, count, nullptr, 0);
    });
}

// 0, or THREW.
int32_t agi_llama_apply(llama_sampler * sampler, llama_token_data_array * candidates,
                        char * error, size_t size) {
    return guarded(error, size, THREW, [&] {
        llama_sampler_apply(sampler, candidates);
        return 0;
    });
}

int32_t agi_llama_accept(llama_sampler * sampler, llama_token token, char * error, size_t size) {
    return guarded(error, size, THREW, [&] {
        llama_sampler_accept(sampler, token);
        return 0;
    });
}

size_t agi_llama_state_get(llama_context * ctx, uint8_t * out, size_t room, char * error,
                           size_t size) {
    return guarded(error, size, static_cast<size_t>(0), [&] {
        return llama_state_get_data(ctx, out, room);
    });
}

} // extern "C"
