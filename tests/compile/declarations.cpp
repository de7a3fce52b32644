// The declarations in C++17: every public type can be made and every field reached.
#include "gilbench.h"

#include <string>
#include <type_traits>
#include <vector>

static_assert(std::is_standard_layout<gb_result>::value, "C's structs stay C's");
static_assert(std::is_same<decltype(&gb_load), gb_code (*)(const gb_load_config *, gb_load_result *,
                                                           gb_error *)>::value,
              "and so do its calls");

extern "C" void answer(gb_exchange *exchange, void *user)
{
    gb_slice path = gb_request_path(exchange);
    *static_cast<std::string *>(user) = std::string(path.data, path.len);
    gb_respond(exchange, 204, nullptr, nullptr, 0);
}

std::vector<std::string> compare(const std::vector<gb_python> &pythons)
{
    std::vector<std::string> rows;
    gb_plan plan = {};
    gb_result result = {};
    gb_error error = {};
    plan.pythons = pythons.data();
    plan.python_count = pythons.size();
    if (gb_compare(&plan, &result, &error) != GB_OK) rows.push_back(error.text);
    for (size_t i = 0; i < result.comparison_count; i++)
        rows.push_back(std::string(result.comparisons[i].candidate) + ' ' +
                       gb_verdict_text(result.comparisons[i].verdict));
    gb_result_free(&result);
    return rows;
}
